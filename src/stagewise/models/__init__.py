"""Networks, one per module, named by ``conf/model/``; each says in ``takes`` what kind of rows it reads."""
