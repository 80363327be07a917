"""One file a command. Each imports what it needs when it runs, so that --help and completion stay quick."""
