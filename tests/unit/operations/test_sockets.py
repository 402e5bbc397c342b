"""Ports are taken at once, or refused in one sentence."""

import pytest

from operations.sockets import PortTaken, bind


def test_a_port_in_use_is_one_sentence() -> None:
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(PortTaken, match=f"port {port} of 127.0.0.1 is in use"):
            bind("127.0.0.1", port)


def test_a_bound_socket_goes_to_child_processes() -> None:
    with bind("::1", 0) as bound:
        assert bound.get_inheritable()


def test_an_address_of_another_machine_is_the_systems_own_error() -> None:
    with pytest.raises(OSError, match="assign"):
        bind("192.0.2.1", 0)
