"""Many audiences over all consumers: materialize, memberships, folders of runs."""
