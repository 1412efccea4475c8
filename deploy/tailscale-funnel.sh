#!/bin/sh
# Tunnel over Tailscale Funnel: publishes /hooks of the local ingress, and nothing else, under this machine's tailnet name.
# The printed address goes into config.toml as [ingress] public_url. Off again: tailscale funnel reset
set -eu
home=${NIGHTCLAW_HOME:-$HOME/.nightclaw}
ingress=$(cat "$home/run/ingress.addr")
exec tailscale funnel --bg --set-path /hooks "http://$ingress/hooks"
