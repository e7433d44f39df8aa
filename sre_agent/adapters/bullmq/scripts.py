"""The two scripts that run inside Redis: pause and resume of a BullMQ 6 queue, each all or nothing.

A script runs alone, so what it checks still holds when it writes. Every condition is checked first and no write can fail
halfway: rights and key types are looked at before. Neither script touches a list, set or hash that holds a job: what may be
written is `meta`, `marker` and `events`. What they write to those is what BullMQ 6's own pause and resume write.

KEYS: meta, marker, events, wait, prioritized, delayed, paused, meta-paused.
ARGV: run id, token, plan, deadline (ms), dry run (1: check only), then for pause how long (ms) and most memory (%), for resume
the owner. Answer: "ok", or the id of the first condition that does not hold.
"""

from sre_agent.evidence.redis.queue_health import MIN_MAJOR
from sre_agent.evidence.redis.queue_state import EVENT, OWNER, PLAN, RESUMED, UNTIL, WAITING

PARTS = ("meta", "marker", "events", "wait", "prioritized", "delayed", "paused", "meta-paused")
"""KEYS, in order."""
_FIELDS = {"OWNER": OWNER, "PLAN": PLAN, "UNTIL": UNTIL, "EVENT": EVENT, "WAITING": WAITING, "RESUMED": RESUMED}

_COMMON = """
local meta, marker, events, wait, prioritized, delayed, paused_list, bull_flag = unpack(KEYS)
local run_id, token, plan, deadline, dry = unpack(ARGV)
local call = redis.call

local function told(section, name)
  return string.match(call('INFO', section), '[\\r\\n]' .. name .. ':([^\\r\\n]*)') or ''
end

local clock = call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
if told('server', 'run_id') ~= run_id then return 'queue-changed' end
if now > tonumber(deadline) then return 'queue-too-late' end
if told('replication', 'role') ~= 'master' then return 'queue-not-primary' end
if told('cluster', 'cluster_enabled') == '1' and not string.match(meta, '{[^{}]+}') then return 'queue-untagged' end

local types = {{meta, 'hash'}, {marker, 'zset'}, {events, 'stream'}, {wait, 'list'}, {prioritized, 'zset'}, {delayed, 'zset'}}
for _, pair in ipairs(types) do
  local kind = call('TYPE', pair[1]).ok
  if kind ~= 'none' and kind ~= pair[2] then return 'queue-wrong-type' end
end
local major = string.match(call('HGET', meta, 'version') or '', '^bullmq:(%d+)%.')
if not major or tonumber(major) < MIN_MAJOR then return 'queue-version' end
if call('EXISTS', bull_flag) == 1 then return 'queue-bull' end
if call('EXISTS', paused_list) == 1 then return 'queue-legacy-jobs' end

local function may(...)
  return redis.acl_check_cmd(...)
end
if not (may('HSET', meta, 'paused', '1') and may('HDEL', meta, 'paused') and may('DEL', marker)
    and may('ZADD', marker, '0', '0') and may('XADD', events, '*', 'event', 'paused')) then
  return 'queue-no-right'
end
local waiting = call('LLEN', wait) + call('ZCARD', prioritized)
"""

_PAUSE = """
local ttl, most = tonumber(ARGV[6]), tonumber(ARGV[7])
if call('HEXISTS', meta, 'paused') == 1 then return 'queue-already-paused' end
local used, limit = tonumber(told('memory', 'used_memory')), tonumber(told('memory', 'maxmemory'))
if not used or not limit or limit <= 0 or used * 100 >= limit * most then return 'queue-memory' end
if told('memory', 'maxmemory_policy') ~= 'noeviction' then return 'queue-evicts' end
if dry == '1' then return 'ok' end

call('HSET', meta, 'paused', '1')
call('DEL', marker)
local event = call('XADD', events, '*', 'event', 'paused')
call('HDEL', meta, 'RESUMED')
call('HSET', meta, 'OWNER', token, 'PLAN', plan, 'UNTIL', string.format('%.0f', now + ttl), 'EVENT', event,
  'WAITING', string.format('%.0f', waiting))
return 'ok'
"""

_RESUME = """
local owner = ARGV[6]
if owner == '' or call('HEXISTS', meta, 'paused') == 0 or call('HGET', meta, 'OWNER') ~= owner then
  return 'queue-not-our-pause'
end
-- Somebody who pauses what is paused already leaves no trace but an event: every event since ours is looked at.
local own = call('HGET', meta, 'EVENT') or ''
if not string.match(own, '^%d+%-%d+$') then return 'queue-paused-again' end
local first = call('XRANGE', events, own, own)
if #first ~= 1 then return 'queue-paused-again' end
local last, pages = own, 0
repeat
  local page = call('XRANGE', events, '(' .. last, '+', 'COUNT', 1000)
  for _, entry in ipairs(page) do
    last = entry[1]
    local fields = entry[2]
    for i = 1, #fields, 2 do
      if fields[i] == 'event' and (fields[i + 1] == 'paused' or fields[i + 1] == 'resumed') then return 'queue-paused-again' end
    end
  end
  pages = pages + 1
  if pages > 50 then return 'queue-paused-again' end
until #page < 1000
if dry == '1' then return 'ok' end

call('HDEL', meta, 'paused', 'OWNER', 'PLAN', 'UNTIL', 'EVENT', 'WAITING')
call('HSET', meta, 'RESUMED', token)
if waiting > 0 then
  call('ZADD', marker, 0, '0')
else
  local next = call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  if next[2] then call('ZADD', marker, string.format('%.17g', tonumber(next[2]) / 4096), '1') end
end
call('XADD', events, '*', 'event', 'resumed')
return 'ok'
"""


def _filled(script: str) -> str:
    for word, field in _FIELDS.items():
        script = script.replace(f"'{word}'", f"'{field}'")
    return script.replace("MIN_MAJOR", str(MIN_MAJOR))


PAUSE = _filled(_COMMON + _PAUSE)
RESUME = _filled(_COMMON + _RESUME)
