"""The connection to S3: one boto3 client, one reading of its errors, one patience for a store that stumbles.

boto3 is imported by the first that connects: it takes longer than a command that only looks at settings.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from xml.etree import ElementTree

from catalog.errors import AccessRefused, LakeError, NotFound, StoreError
from catalog.objects.endpoint import Endpoint

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_s3.client import S3Client

T = TypeVar("T")

ATTEMPTS_MAX = 7
BACKOFF_SECONDS = 0.1
BACKOFF_SECONDS_MAX = 3.0

_PASSING = frozenset({0, 408, 409, 429, 500, 502, 503, 504})
"""Statuses that a later try may not meet; 0 is a transport that broke, 409 a rival's write that is under way."""

_ALTERED = frozenset({"BadDigest", "IncompleteBody", "RequestTimeout", "XAmzContentSHA256Mismatch"})
"""Codes of a 400 that say that the body did not arrive as it was sent."""


class Refusal(Exception):
    """What the store answered instead of doing it: HTTP status (0: no answer) and S3's code."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code

    @property
    def is_passing(self) -> bool:
        """Whether a later try may fare better."""
        return self.status in _PASSING or self.code in _ALTERED


def connect(endpoint: Endpoint) -> "S3Client":
    """A client that never retries by itself: a retry that the caller does not see takes its own write for a rival's."""
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "s3",
        endpoint_url=endpoint.url or None,
        aws_access_key_id=endpoint.access_key,
        aws_secret_access_key=endpoint.secret_key,
        region_name=endpoint.region,
        config=Config(
            connect_timeout=5,
            read_timeout=60,
            retries={"total_max_attempts": 1, "mode": "standard"},
            max_pool_connections=32,
            s3={"addressing_style": "path" if endpoint.url else "auto"},
        ),
    )
    client.meta.events.register("after-call.s3.ListObjectVersions", _keep_order)
    return client


def _keep_order(http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
    """Add the order of versions and markers to the reply.

    S3 lists both, newest first, in one sequence. boto3 sorts them into two lists, and times of whole seconds
    (SeaweedFS) cannot put them together again.
    """
    if http_response.status_code != 200:
        return
    tags = (element.tag.rpartition("}")[2] for element in ElementTree.fromstring(http_response.content))  # noqa: S314
    parsed["MarkersInOrder"] = [tag == "DeleteMarker" for tag in tags if tag in ("Version", "DeleteMarker")]


def answer(call: Callable[[], T]) -> T:
    """Make one call; every refusal and every broken transport becomes a `Refusal`.

    An error of the local disk is no answer of the store, and passes as it is.
    """
    from boto3.exceptions import S3UploadFailedError
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return call()
    except ClientError as error:
        raise _refusal(error) from None
    except S3UploadFailedError as error:
        cause = error.__context__
        raise (_refusal(cause) if isinstance(cause, ClientError) else Refusal(0, type(cause).__name__)) from None
    except (BotoCoreError, ConnectionError, TimeoutError) as error:
        raise Refusal(0, type(error).__name__) from None


def _refusal(error: "ClientError") -> Refusal:
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return Refusal(status, error.response.get("Error", {}).get("Code", "Unknown"))


def patiently(call: Callable[[], T], what: str) -> T:
    """Call until the store answers.

    Raises `AccessRefused` on a 401 or 403, `NotFound` on a 404, and `StoreError` on an answer that time does not mend,
    or when the store has not answered after some ten seconds.
    """
    pause = BACKOFF_SECONDS
    for attempt in range(ATTEMPTS_MAX):
        try:
            return answer(call)
        except Refusal as refusal:
            if not refusal.is_passing:
                raise _error(refusal, what) from None
            if attempt + 1 == ATTEMPTS_MAX:
                raise StoreError(
                    f"the store did not {what}, in {ATTEMPTS_MAX} tries ({refusal.code})",
                    next="lake status says whether it runs, lake up starts it; what was committed stands",
                ) from None
        time.sleep(pause)
        pause = min(2 * pause, BACKOFF_SECONDS_MAX)
    raise AssertionError("unreachable")


def _error(refusal: Refusal, what: str) -> LakeError:
    if refusal.status in (401, 403):
        return AccessRefused(
            f"the store refused to {what} ({refusal.code})", next="check the keys and what they may do: lake status"
        )
    if refusal.status == 404:
        return NotFound(
            f"cannot {what}: it is not there ({refusal.code})",
            next="lake up makes the buckets; lake tables lists what is there",
        )
    return StoreError(
        f"the store would not {what} ({refusal.status} {refusal.code})", next="lake doctor asks what this store can do"
    )
