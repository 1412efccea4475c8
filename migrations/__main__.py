"""`python -m nightclaw.migrations DATABASE`: upgrade that file to the newest revision."""

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config


def main() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["database"] = sys.argv[1]
    command.upgrade(config, "head")


main()
