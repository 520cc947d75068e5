"""Many audiences over all consumers: materialize, memberships, publishing."""
