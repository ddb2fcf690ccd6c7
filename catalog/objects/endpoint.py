"""Where an S3 store is, and the keys to it, which no representation shows."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Endpoint:
    """One S3 endpoint: ``url`` is empty for AWS itself; the keys never appear in a repr.

    >>> Endpoint("http://127.0.0.1:9000", "access", "secret")
    Endpoint(url='http://127.0.0.1:9000', region='us-east-1', bucket_prefix='')
    """

    url: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    region: str = "us-east-1"
    bucket_prefix: str = ""

    def bucket(self, zone: str) -> str:
        """The bucket of a zone: names are global on AWS, so they take a prefix."""
        return f"{self.bucket_prefix}{zone}"
