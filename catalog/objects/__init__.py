"""Objects on an S3 store; the only package that imports an S3 client."""

from catalog.objects.endpoint import Endpoint
from catalog.objects.probe import probe, require_versions
from catalog.objects.sequence import Sequence
from catalog.objects.store import ObjectInfo, ObjectStore, VersionInfo

__all__ = ["Endpoint", "ObjectInfo", "ObjectStore", "Sequence", "VersionInfo", "probe", "require_versions"]
