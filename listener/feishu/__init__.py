"""Talks to Feishu, in its long connection and its APIs: the only package that imports lark_oapi."""
