"""The program's entry: ``python -m etl``, and the command ``etl``."""

import signal


def main() -> None:
    """Run the command line.

    Loading it takes a quarter of a second, in which Ctrl-C would print a traceback: until
    the command line has handlers of its own, a signal simply ends the process.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from etl.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
