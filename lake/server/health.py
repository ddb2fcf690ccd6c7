"""Does a store answer, and to these keys? One signed request with a time limit, so that a frozen store is told apart.

`catalog.objects` is patient by design; here the answer is wanted now.
"""

import hashlib
import hmac
import http.client
from datetime import UTC, datetime
from urllib.parse import urlsplit

from catalog.objects.endpoint import Endpoint

OK = "answers"


def health(endpoint: Endpoint, seconds: float = 3.0) -> str:
    """`OK`, or what is wrong in a few words."""
    if not endpoint.url:
        return "is AWS S3: lake doctor asks it"
    parts = urlsplit(endpoint.url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=seconds)
    try:
        connection.request("GET", "/", headers=signed(endpoint, parts.netloc, datetime.now(UTC)))
        status = connection.getresponse().status
    except TimeoutError:
        return f"does not answer within {seconds:g} s"
    except (OSError, http.client.HTTPException) as error:
        return f"does not answer ({type(error).__name__})"
    finally:
        connection.close()
    if status in {401, 403}:
        return "answers, but refuses these keys"
    return OK if status == 200 else f"answers with HTTP {status}"


def signed(endpoint: Endpoint, host: str, now: datetime) -> dict[str, str]:
    """The headers that sign ``GET /``, the list of buckets, as S3 wants it (Signature Version 4)."""
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    empty = hashlib.sha256(b"").hexdigest()
    headers = {"host": host, "x-amz-content-sha256": empty, "x-amz-date": stamp}
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    canonical = hashlib.sha256(f"GET\n/\n\n{lines}\n{names}\n{empty}".encode()).hexdigest()
    scope = f"{day}/{endpoint.region}/s3/aws4_request"
    key = f"AWS4{endpoint.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{canonical}".encode(), "sha256").hex()
    credential = f"Credential={endpoint.access_key}/{scope}"
    return headers | {"authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders={names}, Signature={signature}"}
