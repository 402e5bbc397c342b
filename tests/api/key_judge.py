"""A process that judges credentials as a web process does: lines `token …` or `write_key …` in,
`ok` or the refusal's code out. Run as a module; test_access_processes.py talks to it."""

import sys

import django


def main() -> None:
    """Answer until the input ends."""
    django.setup()
    from access.authentication import get_authenticator
    from access.problems import Problem

    authenticator = get_authenticator()
    for line in sys.stdin:
        kind, text = line.split()
        try:
            if kind == "token":
                authenticator.authenticate_token(text, scope=None)
            else:
                authenticator.authenticate_write_key(text)
        except Problem as problem:
            answer = problem.code.value
        else:
            answer = "ok"
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
