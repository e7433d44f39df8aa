"""PagerDuty over REST: the incident tracker people watch; and over Events v2: what wakes them where nothing else has.

transport   one request, once, through pdpyras (its only import)      -> Answer
pace        our own rate limit                                        -> seconds to wait
failure     what an answer that is not 2xx means                      -> the error tree
gateway     deadlines, repeats of reads, pages                        -> JSON
changes     change events                                             -> Change
marks       priority, custom fields, status updates
history     incidents like this one, and people's notes on them       -> PastIncident
account     what `sre-agent doctor` asks of the account               -> users, rights, subscriptions
events      Events v2 through httpx: trigger and resolve               -> handback.pager.Pager
tracker     handback.tracker.IncidentTracker, and what reconciling needs

Law: a read may be repeated, a write is never sent again before looking whether it happened. Nothing here can
acknowledge or resolve an incident.
"""
