"""A crew: the worker processes of one host at one cycle or service, and who watches over them."""
