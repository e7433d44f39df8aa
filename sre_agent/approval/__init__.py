"""Who says yes: approval requests, decisions of people, and counting them. Pure.

Text is never approval, timeout is denial, and distinct means distinct *person*, whatever the door.
"""
