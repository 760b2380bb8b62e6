"""How bad a log record is: in its sender's word, and as Kubernetes tells events apart."""

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

NAMES = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
"""Of severity numbers, four to a name, from 1 on."""

WARNING_FROM = 13
"""The number of WARN."""

MOST = 4 * len(NAMES)

WARNINGS = ("warn", "err", "fatal", "crit", "alert", "emerg", "panic", "severe")
"""How words begin that are WARN or worse, in syslog, log4j, Java and Go."""


def severity_of(record: LogRecord) -> str | None:
    """The sender's word for it, or else that of its number.

    >>> severity_of(LogRecord(severity_number=17)), severity_of(LogRecord(severity_text="warning"))
    ('ERROR', 'warning')
    """
    if record.severity_text:
        return record.severity_text
    number = int(record.severity_number)
    return NAMES[(number - 1) // 4] if 1 <= number <= MOST else None


def type_of(record: LogRecord) -> str | None:
    """`Warning` from WARN on, else `Normal`; None where nothing is said.

    >>> type_of(LogRecord(severity_number=9)), type_of(LogRecord(severity_text="Error"))
    ('Normal', 'Warning')
    """
    number = int(record.severity_number)
    if 1 <= number <= MOST:
        return "Warning" if number >= WARNING_FROM else "Normal"
    if not record.severity_text:
        return None
    return "Warning" if record.severity_text.lower().startswith(WARNINGS) else "Normal"
