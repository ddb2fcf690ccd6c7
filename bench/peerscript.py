"""Bronze as others make it, each by its own means, in the environment that `bench.peers` makes for them.

Each reads a CSV file from landing, every value as text, and writes one Delta table into the script's bucket.

    python -m bench.peerscript duckdb lineitem.csv    DuckDB, reading and writing the store by httpfs
    python -m bench.peerscript dlt lineitem.csv       dlt's filesystem source, by DuckDB, and its filesystem destination
    python -m bench.peerscript sail lineitem.csv      Spark's interface over Sail, in this process
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

TABLE = "s3://script-lake/bronze/lineitem"


def by_duckdb(key: str) -> None:
    """One Parquet file by COPY, which deltalake then takes for a table: DuckDB itself writes no new one."""
    import duckdb
    import duckdb_extension_httpfs
    from deltalake import convert_to_deltalake

    [httpfs] = Path(duckdb_extension_httpfs.__file__).parent.glob("extensions/*/httpfs.duckdb_extension")
    with duckdb.connect() as connection:
        connection.load_extension(str(httpfs))
        host = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
        keys = f"key_id '{os.environ['AWS_ACCESS_KEY_ID']}', secret '{os.environ['AWS_SECRET_ACCESS_KEY']}'"
        connection.execute(
            f"create secret (type s3, {keys}, region 'us-east-1', endpoint '{host}', url_style 'path', use_ssl false)"
        )
        # In the order of the file it would keep more in memory.
        connection.execute("set preserve_insertion_order = false")
        rows = f"from read_csv('s3://script-landing/{key}', all_varchar = true, header = true)"
        connection.execute(f"copy ({rows}) to '{TABLE}/part-0.parquet' (compression zstd, compression_level 1)")
    convert_to_deltalake(TABLE, storage_options={"AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL"]})


def by_dlt(key: str) -> None:
    """A pipeline from files to files, with what dlt adds by itself: its load's tables, its state."""
    # Said before the import: dlt reports its use over the network otherwise.
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    import dlt
    from dlt.common.configuration.specs import AwsCredentials
    from dlt.sources.filesystem import filesystem, read_csv_duckdb

    store = AwsCredentials(
        aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        endpoint_url=os.environ["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
    )
    files = filesystem(bucket_url="s3://script-landing", credentials=store, file_glob=key)
    rows = files | read_csv_duckdb(chunk_size=100_000, use_pyarrow=True, all_varchar=True, header=True)
    lake = dlt.destinations.filesystem(bucket_url="s3://script-lake", credentials=store)
    pipeline = dlt.pipeline("bench", destination=lake, dataset_name="bronze", pipelines_dir="dlt")
    pipeline.run(rows.with_name("lineitem"), table_format="delta", write_disposition="append").raise_on_failed_jobs()


def by_sail(key: str) -> None:
    """The same as with PySpark, without a JVM."""
    from pysail.spark import SparkConnectServer
    from pyspark.sql import SparkSession

    server = SparkConnectServer()
    server.start()
    ip, port = server.listening_address
    spark = SparkSession.builder.remote(f"sc://{ip}:{port}").getOrCreate()
    rows = spark.read.csv(f"s3://script-landing/{key}", header=True, inferSchema=False)
    rows.write.format("delta").save(TABLE)
    spark.stop()
    server.stop()


def main(peer: str, key: str) -> None:
    """Make the table by one of them."""
    peers: dict[str, Callable[[str], None]] = {"duckdb": by_duckdb, "dlt": by_dlt, "sail": by_sail}
    peers[peer](key)


if __name__ == "__main__":
    main(*sys.argv[1:])
