"""By which address a caller is limited."""

import pytest

from server.edge.client_address import limited_address


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (("192.0.2.7", 1234), "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 1), "2001:db8:1:2::/64"),
        (("2001:db8:1:2::ffff", 1), "2001:db8:1:2::/64"),
        (("2001:db8:1:3::1", 1), "2001:db8:1:3::/64"),
        (("fe80::1%eth0", 1), "fe80::/64"),
        (("::ffff:192.0.2.7", 1), "192.0.2.7"),
        (("unknown", 0), "unknown"),
        (("' OR 1", 0), "unknown"),
        (None, "unknown"),
    ],
)
def test_it_is_the_address_or_the_subscribers_network(
    client: tuple[str, int] | None, address: str
) -> None:
    assert limited_address({"type": "http", "client": client}) == address
