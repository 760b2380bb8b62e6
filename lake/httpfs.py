"""DuckDB's own reader of objects, an extension, where it is installed.

It is never downloaded: machines that may not, read by `lake/object_reader.py`.
"""

import functools
import logging

import duckdb

from lake.s3_options import S3Options
from lake.views import quote

logger = logging.getLogger(__name__)


@functools.cache
def is_there() -> bool:
    """Whether DuckDB can load it; told once in the log if not."""
    with duckdb.connect() as connection:
        try:
            connection.execute("LOAD httpfs")
        except duckdb.Error:
            logger.info("DuckDB's httpfs is not installed: objects are read by Arrow")
            return False
    return True


def attach(connection: duckdb.DuckDBPyConnection, url: str, options: S3Options) -> None:
    """Load it into a connection, with the keys for what lies below the URL."""
    connection.execute("LOAD httpfs")
    connection.execute(secret(url, options))


def secret(url: str, options: S3Options) -> str:
    """The statement that hands DuckDB the keys; it shows them to nobody afterwards.

    >>> print(secret("s3://bucket/lake", S3Options("eu", "http://minio:9000", "me", "it's")))
    CREATE SECRET lake (TYPE s3, SCOPE 's3://bucket/lake', REGION 'eu', KEY_ID 'me', \
SECRET 'it''s', URL_STYLE 'path', ENDPOINT 'minio:9000', USE_SSL false)
    """
    parts = {
        "SCOPE": url,
        "REGION": options.region,
        "KEY_ID": options.access_key_id or "",
        "SECRET": options.secret_access_key or "",
    }
    if options.session_token is not None:
        parts["SESSION_TOKEN"] = options.session_token
    if options.endpoint_url is not None:
        parts["URL_STYLE"] = "vhost" if options.virtual_hosted_style_request else "path"
        parts["ENDPOINT"] = options.endpoint_url.partition("://")[2].rstrip("/")
    said = [f"{name} {quote(value)}" for name, value in parts.items()]
    if options.plain_http:
        said.append("USE_SSL false")
    return f"CREATE SECRET lake (TYPE s3, {', '.join(said)})"
