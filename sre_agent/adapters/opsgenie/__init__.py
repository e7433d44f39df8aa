"""Opsgenie and Jira Service Management (JSM) Operations: handback.alert_desk.AlertDesk over two dialects of one REST API.

dialect      what differs: paths, keys, envelopes
connection   one request, once, through httpx (its only import)     -> JSON, or the error tree
desk         AlertDesk

Law: a write is never sent again before looking whether it happened. Nothing here can acknowledge, close or delete an alert.
"""
