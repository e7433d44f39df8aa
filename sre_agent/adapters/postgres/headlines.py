"""Lists of incidents in PostgreSQL: implements response.headline.Headlines. The documents are not read."""

from sre_agent.adapters.postgres.database import Database
from sre_agent.response.document import text
from sre_agent.response.headline import Headline, Wanted

NEWEST = """
    SELECT (headline || jsonb_build_object('id', id, 'version', version, 'state', state,
                                           'received_at', received_at, 'updated_at', updated_at))::text
    FROM incident
    WHERE (%(states)s::text[] IS NULL OR state = ANY(%(states)s))
      AND (%(alert_class)s::text IS NULL OR headline ->> 'alert_class' = %(alert_class)s)
      AND (%(verdict)s::text IS NULL OR headline ->> 'verdict' = %(verdict)s)
      AND (%(owner)s = '' OR headline ->> 'owner' = %(owner)s)
      AND (%(service)s = '' OR headline ->> 'service' = %(service)s)
      AND (%(text)s = '' OR strpos(lower(concat_ws(' ', headline ->> 'title', id, headline ->> 'number', headline ->> 'service',
                                                   headline ->> 'owner', headline #>> '{target,name}')), lower(%(text)s)) > 0)
    ORDER BY received_at DESC, id DESC LIMIT %(limit)s OFFSET %(skip)s
"""


class PostgresHeadlines:
    """See response.headline.Headlines."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(self, wanted: Wanted, limit: int, skip: int = 0) -> tuple[Headline, ...]:
        """Those wanted, newest first."""
        asked = {
            "states": None if wanted.states is None else [s.value for s in wanted.states],
            "alert_class": wanted.alert_class.value if wanted.alert_class else None,
            "verdict": wanted.verdict.value if wanted.verdict else None,
            "owner": text(wanted.owner),
            "service": text(wanted.service),
            "text": text(wanted.text),
            "limit": limit,
            "skip": skip,
        }
        return tuple(Headline.model_validate_json(row[0]) for row in await self._database.rows(NEWEST, asked))

    async def version(self, incident_id: str) -> int | None:
        """The version an incident is at."""
        rows = await self._database.rows("SELECT version FROM incident WHERE id = %(id)s", {"id": text(incident_id)})
        return int(rows[0][0]) if rows else None
