"""Fetches by the API what was missed while nothing listened, and puts it into the journal like any other event.

api_messages.py makes an event's payload of what the API has (pure); listing.py finds the tickets that changed; jobs.py
carries out a job of the journal, step by step; backfiller.py does that beside the running daemon; command.py does it
for the command line.
"""
