"""Orders of a worker's steps against those of rivals, one by one and by the thousand.

``stepping`` runs a session a step at a time and knows from the lock table whether it is
blocked. ``programs`` says what the rivals do, ``replay`` plays one order, ``model`` says how
it has to end, ``cases`` makes the users. ``storm`` leaves the order to chance.
"""
