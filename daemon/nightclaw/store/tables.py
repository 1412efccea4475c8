"""What every table page shares."""

from sqlalchemy import Column, MetaData, Text

metadata = MetaData()


def id_column() -> Column[str]:
    return Column("id", Text, primary_key=True)
