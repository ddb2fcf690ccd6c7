"""The store's options, in the words of the two libraries that read and write tables."""

from catalog.objects import Endpoint


def polars_options(endpoint: Endpoint) -> dict[str, str]:
    """Options for Polars' scans and sinks. Values are strings: both libraries ignore a mistyped key in silence."""
    options = {
        "aws_access_key_id": endpoint.access_key,
        "aws_secret_access_key": endpoint.secret_key,
        "aws_region": endpoint.region,
    }
    if endpoint.url:
        options |= {
            "aws_endpoint_url": endpoint.url,
            "aws_allow_http": str(endpoint.url.startswith("http://")).lower(),
            "aws_virtual_hosted_style_request": "false",
        }
    return options


def delta_options(endpoint: Endpoint) -> dict[str, str]:
    """Options for delta-rs: conditional PUTs, which such stores must be told of, and limits to its patience.

    Polars sends a checksum with what it writes; delta-rs has to be asked for one, or SeaweedFS keeps a commit that was
    altered on its way.
    """
    return polars_options(endpoint) | {
        "aws_conditional_put": "etag",
        "aws_checksum_algorithm": "sha256",
        "timeout": "60s",
        "connect_timeout": "5s",
        "max_retries": "3",
        "retry_timeout": "30s",
    }
