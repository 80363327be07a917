"""Serves the page at / and the JSON behind it: what `status`, `tail`, `dead-letters` and `replay` know.

access.py decides who may see and who may act, queries.py and actions.py answer, stream.py tells what is new, summary.py
and numbers.py are pure. `static/` holds the page itself: plain HTML, CSS and modules, as the browser takes them. None
of it is loaded unless http.listen is set.
"""
