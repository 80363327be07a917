"""`helpdesk-listen` and `python -m listener`."""

from listener.cli.main import main

if __name__ == "__main__":
    main()
