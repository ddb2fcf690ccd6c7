"""Local object stores behind one interface: SeaweedFS and MinIO."""
