"""`nightclaw admin VERB`: the work on a home that needs no running daemon. clawctl runs it as a child process."""
