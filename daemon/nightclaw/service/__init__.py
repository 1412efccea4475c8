"""The managers that keep a daemon running: systemd's user manager on Linux, launchd on macOS."""
