"""Receives events: the receiver that keeps and answers them, the long connection, and the webhook."""
