"""Redis behind Sentinel, Redis Cluster, BullMQ queues, Patroni and watched PostgreSQL: real servers where there are any."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from sre_agent.evidence.redis.state import RedisState, SentinelView
from sre_agent.testing.patroni import Patroni
from sre_agent.testing.queue_redis import QueueRedis
from sre_agent.testing.redis_client import ask
from sre_agent.testing.redis_cluster import RedisClusterTopology
from sre_agent.testing.redis_topology import RedisTopology
from sre_agent.wiring.doctor.connections import Terms
from sre_agent.wiring.doctor.sentinel import agreed
from tests.doctor.examined import BROKEN, MANAGED, OK, SKIPPED, WARNING, declared, looked, one

pytestmark = pytest.mark.slow
DRY = "+acl|dryrun"
FULL = "resetchannels ~sre-agent:* +ping +role +set +client|pause +client|unpause +replicaof"


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisTopology]:
    with RedisTopology() as running:
        for node in running.nodes:
            user(node, "dry-read", "+ping", "+info", DRY)
            user(node, "dry-all", "~*", "+@all")
            user(node, "dry-write", *FULL.split(), DRY)
            user(node, "dry-lame", "~sre-agent:*", "+ping", "+set", "+replicaof", "+client|unpause", DRY)
        yield running


def user(node: str, name: str, *rights: str) -> None:
    ask(node, "ACL", "SETUSER", name, "reset", "on", ">pw", *rights)


@pytest.fixture
def settings(redis: RedisTopology, tmp_path: Path) -> dict[str, str]:
    return {
        "REDIS_SENTINELS": ",".join(redis.sentinels),
        "REDIS_USERNAME": "dry-read",
        "REDIS_PASSWORD": "pw",
        "REDIS_WRITE_USERNAME": "dry-write",
        "REDIS_WRITE_PASSWORD": "pw",
        "SRE_AGENT_POLICY_DATA": declared(tmp_path / "data", targets={"redis/cache": MANAGED}),
    }


async def test_a_sentinel_that_is_well_with_two_users_that_are_enough(redis, settings):
    found = await looked("sentinel", settings)
    assert {n: (r.status, r.found) for n, r in found.items() if r.status is not OK} == {}
    assert f"3 sentinels agree on cache ({redis.primary}), with quorum" in found["sentinel.sentinels"].found
    assert found["sentinel.write_user"].found == "the writing user gets in at all of 3 nodes, with the rights it needs"


async def test_nothing_is_changed_by_asking(redis, settings):
    before = {node: ask(node, "INFO", "commandstats") for node in redis.nodes}
    await looked("sentinel", settings)
    for node in redis.nodes:
        after = ask(node, "INFO", "commandstats")
        for command in ("set", "replicaof", "client|pause", "client|unpause", "flushall", "config|set"):
            calls = [stats.get(f"cmdstat_{command}", {}).get("calls", 0) for stats in (before[node], after)]
            assert calls[0] == calls[1], command
        assert not ask(node, "EXISTS", "sre-agent:doctor")


async def test_users_that_may_not_ask_are_let_in_and_told_as_untested(settings):
    minimal = {"REDIS_USERNAME": "sre-read", "REDIS_PASSWORD": "read-only", "REDIS_WRITE_USERNAME": "sre-write"}
    found = await looked("sentinel", {**settings, **minimal, "REDIS_WRITE_PASSWORD": "write-only"})
    for name in ("sentinel.read_user", "sentinel.write_user"):
        assert (found[name].status, "not tested" in found[name].found, DRY in found[name].todo) == (OK, True, True)


async def test_a_reading_user_that_could_write_is_warned_of(settings):
    found = await one("sentinel.read_user", {**settings, "REDIS_USERNAME": "dry-all"})
    assert found.status is WARNING
    assert "FLUSHALL" in found.found
    assert "CONFIG SET" in found.found


async def test_a_writing_user_that_lacks_a_command_is_broken(settings):
    found = await one("sentinel.write_user", {**settings, "REDIS_WRITE_USERNAME": "dry-lame"})
    assert (found.status, "CLIENT PAUSE" in found.found) == (BROKEN, True)


async def test_one_user_for_both_is_warned_of(settings):
    same = {"REDIS_USERNAME": "dry-write", "REDIS_WRITE_USERNAME": "dry-write"}
    found = await one("sentinel.write_user", {**settings, **same})
    assert (found.status, "same user" in found.found) == (WARNING, True)


async def test_a_wrong_password_is_broken_and_not_shown(settings):
    found = await looked("sentinel", {**settings, "REDIS_PASSWORD": "wr0ng-pw", "REDIS_WRITE_PASSWORD": "wr0ng-too"})
    assert {found["sentinel.read_user"].status, found["sentinel.write_user"].status} == {BROKEN}
    assert "wr0ng" not in str(found)


async def test_a_sentinel_that_is_not_there_or_not_listed_is_broken(redis, settings):
    few = {**settings, "REDIS_SENTINELS": ",".join(redis.sentinels[:2])}
    assert "3 sentinels exist, 2 are configured" in (await one("sentinel.sentinels", few)).found
    gone = {**settings, "REDIS_SENTINELS": ",".join([*redis.sentinels[:2], "127.0.0.1:1"])}
    found = await looked("sentinel", gone)
    assert "1 of 3 sentinels do not answer: 127.0.0.1:1" in found["sentinel.sentinels"].found
    assert found["sentinel.read_user"].status is SKIPPED


async def test_a_declared_master_that_no_sentinel_watches_is_named(settings, tmp_path):
    data = declared(tmp_path / "more", targets={"redis/cache": MANAGED, "redis/sessions": MANAGED})
    found = await one("sentinel.sentinels", {**settings, "SRE_AGENT_POLICY_DATA": data})
    assert (found.status, "redis/sessions" in found.found) == (BROKEN, True)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"ckquorum": "NOQUORUM 1 usable Sentinels."}, "no quorum: NOQUORUM 1 usable"),
        ({"master": {"ip": "10.0.0.9", "port": "6379", "config-epoch": "4"}}, "name different primaries"),
        ({"master": {"ip": "10.0.0.1", "port": "6379", "config-epoch": "5"}}, "different configuration epochs"),
    ],
)
def test_sentinels_without_quorum_or_that_disagree_are_broken(changed, said):
    master = {"ip": "10.0.0.1", "port": "6379", "config-epoch": "4"}
    views = [{"address": f"s{n}:26379", "master": master, "ckquorum": "OK 3 usable Sentinels."} for n in range(3)]
    assert agreed(RedisState(name="cache", sentinels=tuple(SentinelView(**v) for v in views))).status is OK
    views[2] |= changed
    found = agreed(RedisState(name="cache", sentinels=tuple(SentinelView(**v) for v in views)))
    assert (found.status, said in found.found, bool(found.todo)) == (BROKEN, True, True)


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisClusterTopology]:
    running = RedisClusterTopology()
    running.start()
    yield running
    running.stop()


def cluster_settings(cluster: RedisClusterTopology, **changed: str) -> dict[str, str]:
    return {
        "REDIS_CLUSTER_NAME": "sessions",
        "REDIS_CLUSTER_NODES": ",".join(cluster.read_access.nodes),
        "REDIS_CLUSTER_USERNAME": "sre-read",
        "REDIS_CLUSTER_PASSWORD": "read-only",
        "REDIS_CLUSTER_WRITE_USERNAME": "sre-write",
        "REDIS_CLUSTER_WRITE_PASSWORD": "write-only",
        **changed,
    }


async def test_a_cluster_that_is_well(cluster):
    found = await looked("redis_cluster", cluster_settings(cluster))
    assert {n: (r.status, r.found) for n, r in found.items() if r.status is not OK} == {}
    assert found["redis_cluster.nodes"].found == "6 nodes of sessions answer, all slots are covered"


async def test_wrong_users_of_a_cluster_are_broken(cluster):
    wrong = cluster_settings(cluster, REDIS_CLUSTER_WRITE_PASSWORD="wr0ng-pw")
    assert (await one("redis_cluster.write_user", wrong)).status is BROKEN
    wrong = cluster_settings(cluster, REDIS_CLUSTER_PASSWORD="wr0ng-pw")
    assert (await one("redis_cluster.nodes", wrong)).status is BROKEN


async def test_a_node_of_a_cluster_that_is_down_is_told_and_one_for_all_is_not_well(cluster):
    one_gone = cluster_settings(cluster, REDIS_CLUSTER_NODES=f"{cluster.primaries[0]},127.0.0.1:1")
    assert (await one("redis_cluster.nodes", one_gone)).status is WARNING


@pytest.fixture(scope="module")
def queue() -> Iterator[QueueRedis]:
    running = QueueRedis()
    running.start()
    ask(running.address, "HSET", "bull:mail:meta", "version", "bullmq:6.0.0")
    yield running
    running.stop()


def queue_settings(queue: QueueRedis, folder: Path, name: str = "mail", **changed: str) -> dict[str, str]:
    return {
        "REDIS_USERNAME": "sre-read",
        "REDIS_PASSWORD": "read-only",
        "REDIS_WRITE_USERNAME": "sre-write",
        "REDIS_WRITE_PASSWORD": "write-only",
        "SRE_AGENT_POLICY_DATA": declared(folder / "data", targets={f"queue/{name}": {**MANAGED, "redis": queue.address}}),
        **changed,
    }


async def test_queues_that_are_there_and_two_users_that_get_in(queue, tmp_path):
    found = await looked("queues", queue_settings(queue, tmp_path))
    assert {n: r.status for n, r in found.items() if n.startswith("queues")} == {"queues.read_user": OK, "queues.write_user": OK}


async def test_a_queue_that_is_not_there_and_users_that_do_not_get_in(queue, tmp_path):
    assert (await one("queues.read_user", queue_settings(queue, tmp_path, "letters"))).status is WARNING
    wrong = queue_settings(queue, tmp_path, REDIS_PASSWORD="wr0ng-pw", REDIS_WRITE_PASSWORD="wr0ng-pw")
    found = await looked("queues", wrong)
    assert {found["queues.read_user"].status, found["queues.write_user"].status} == {BROKEN}


async def test_a_writing_user_that_may_not_pause_a_queue_is_broken(queue, tmp_path):
    user(queue.address, "dry-lame", "~bull:*", "+ping", "+eval", DRY)
    lame = queue_settings(queue, tmp_path, REDIS_WRITE_USERNAME="dry-lame", REDIS_WRITE_PASSWORD="pw")
    found = await one("queues.write_user", lame)
    assert (found.status, "HSET" in found.found) == (BROKEN, True)


async def test_without_a_declared_queue_it_is_skipped():
    assert (await one("queues.read_user", {})).status is SKIPPED


async def test_a_patroni_cluster_that_is_well_and_one_that_is_not():
    with Patroni() as patroni:
        settings = {"PATRONI_URLS": ",".join(patroni.urls), "PATRONI_WRITE_USERNAME": "w", "PATRONI_WRITE_PASSWORD": "pw"}
        found = await looked("patroni", settings)
        assert found["patroni.members"].found == "3 members of orders answer, led by pg-1"
        assert "in clear" in found["patroni.write_user"].found
        partly = {"PATRONI_URLS": ",".join(patroni.urls[:2])}
        assert "pg-3 of orders is not in PATRONI_URLS" in (await one("patroni.members", partly)).found
        patroni.cluster["pause"] = True
        assert (await one("patroni.members", settings)).status is WARNING
        patroni.leader = "nobody"
        assert (await one("patroni.members", settings)).status is BROKEN
        patroni.stop("pg-2")
        assert "1 of 3 members do not answer" in (await one("patroni.members", settings)).found
        assert patroni.calls == []


async def test_members_of_two_clusters_are_broken():
    with Patroni() as orders, Patroni("billing") as billing:
        found = await one("patroni.members", {"PATRONI_URLS": f"{orders.urls[0]},{billing.urls[0]}"})
    assert (found.status, "billing, orders" in found.found) == (BROKEN, True)


@pytest.fixture
def roles(empty_database_url) -> Iterator[dict[str, str]]:
    """URLs of the same database as three roles; the tables belong to somebody else."""
    told = conninfo_to_dict(empty_database_url)
    url = "postgresql://{0}@/{dbname}?host={host}&port={port}"
    made = ("doctor_monitor", "doctor_plain", "doctor_writer")
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS orders (id int)")
        for name in made:
            connection.execute(f"CREATE ROLE {name} LOGIN".encode())
        connection.execute("GRANT pg_monitor TO doctor_monitor, doctor_writer")
        connection.execute("GRANT INSERT ON orders TO doctor_writer")
        yield {name: url.format(name, **told) for name in made}
        connection.execute("DROP OWNED BY doctor_monitor, doctor_plain, doctor_writer")
        connection.execute("DROP ROLE doctor_monitor, doctor_plain, doctor_writer")


async def test_watched_databases_by_what_our_role_is(roles, empty_database_url):
    async def told(url: str):
        return await one("postgres.watched", {"POSTGRES_URLS": f"orders={url}"})

    well = await told(roles["doctor_monitor"])
    assert (well.status, "seen whole" in well.found) == (OK, True)
    assert "GRANT pg_monitor TO doctor_plain" in (await told(roles["doctor_plain"])).todo
    assert "may change 1 tables" in (await told(roles["doctor_writer"])).found
    assert "is a superuser" in (await told(empty_database_url)).found


async def test_one_watched_database_that_is_gone_is_named_beside_one_that_is_well(roles):
    urls = f"orders={roles['doctor_monitor']},billing=postgresql://u:s3cret-pw@127.0.0.1:1/b"
    found = await one("postgres.watched", {"POSTGRES_URLS": urls}, terms=Terms(15.0))
    assert (found.status, found.found.startswith("billing: ")) == (BROKEN, True)
    assert "s3cret-pw" not in str(found)
