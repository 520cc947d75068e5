"""The operator table: what each operator means, one row an operator, read by every stage."""
