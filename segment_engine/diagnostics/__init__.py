"""What is wrong with what a user wrote: where, what, how to mend it; and its picture."""
