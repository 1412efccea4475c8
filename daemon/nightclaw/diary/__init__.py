"""The daily log: `writer` follows the events, `words` makes the lines, `files` keeps them, `verify` checks them."""

from nightclaw.diary.verify import BadLine, VerifyReport, verify
from nightclaw.diary.writer import Diary

__all__ = ["BadLine", "Diary", "VerifyReport", "verify"]
