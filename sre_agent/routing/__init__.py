"""Who hears of an alert, and when: page, hold, e-mail, digest or nobody. Pure: the routing file, the alerts, what is remembered
of them and `now` come in, a decision with its rule ids comes out. Routing wakes people; it never permits an action.
"""
