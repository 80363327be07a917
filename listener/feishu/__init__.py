"""All that is Feishu's: the only package that imports lark_oapi."""
