"""The connection to S3: one boto3 client, one reading of its errors, one patience for a store that stumbles."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from xml.etree import ElementTree

import boto3
from boto3.exceptions import S3UploadFailedError
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from catalog.errors import AccessRefused, StoreError
from catalog.objects.endpoint import Endpoint

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

T = TypeVar("T")

ATTEMPTS_MAX = 7
BACKOFF_SECONDS = 0.1
BACKOFF_SECONDS_MAX = 3.0

_PASSING = frozenset({0, 408, 409, 429, 500, 502, 503, 504})
"""Statuses that a later try may not meet; 0 is a transport that broke, 409 a rival's write that is under way."""


class Refusal(Exception):  # noqa: N818 - an answer of the store, which a verb turns into a value or a LakeError
    """What the store answered instead of doing it: HTTP status (0: no answer), S3's code and its message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code


def connect(endpoint: Endpoint) -> "S3Client":
    """A client that never retries by itself: a retry that the caller does not see takes its own write for a rival's."""
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

    S3 lists both, newest first, in one sequence. boto3 sorts them into two lists, and times of whole seconds (SeaweedFS)
    cannot put them together again.
    """
    if http_response.status_code != 200:
        return
    tags = (element.tag.rpartition("}")[2] for element in ElementTree.fromstring(http_response.content))  # noqa: S314
    parsed["MarkersInOrder"] = [tag == "DeleteMarker" for tag in tags if tag in ("Version", "DeleteMarker")]


def answer(call: Callable[[], T], *, missing_ok: bool = False) -> T | None:
    """Make one call; every refusal and every broken transport becomes a `Refusal`."""
    try:
        return call()
    except ClientError as error:
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if missing_ok and status == 404:
            return None
        detail = error.response.get("Error", {})
        raise Refusal(status, detail.get("Code", "Unknown"), detail.get("Message", "")) from None
    except S3UploadFailedError as error:
        cause = error.__context__
        if isinstance(cause, ClientError):
            return answer(lambda: _raise(cause))
        raise Refusal(0, "UploadFailed", type(cause).__name__) from None
    except (BotoCoreError, OSError) as error:
        raise Refusal(0, type(error).__name__, "") from None


def _raise(error: ClientError) -> Any:
    raise error


def patiently(call: Callable[[], T], what: str) -> T:
    """Call until the store answers; a `Refusal` that time does not mend is passed on.

    Raises `AccessRefused` on a 401 or 403, and `StoreError` when the store has not answered after some ten seconds.
    """
    pause = BACKOFF_SECONDS
    for attempt in range(ATTEMPTS_MAX):
        try:
            return call()
        except Refusal as refusal:
            if refusal.status in (401, 403):
                raise AccessRefused(
                    f"the store refused to {what} ({refusal.code})",
                    next="check the keys and what they may do: lake status",
                ) from None
            if refusal.status not in _PASSING:
                raise
            if attempt + 1 == ATTEMPTS_MAX:
                raise StoreError(
                    f"the store did not {what}, in {ATTEMPTS_MAX} tries ({refusal.code})",
                    next="lake status says whether it runs, lake up starts it; what was committed stands",
                ) from None
        time.sleep(pause)
        pause = min(2 * pause, BACKOFF_SECONDS_MAX)
    raise AssertionError("unreachable")
