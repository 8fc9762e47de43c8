#!/bin/sh
# The short form of mess_long, which `make messtest SECONDS=600` runs at length.
SECONDS=8 exec perl -Iregress/lib regress/fault/mess_long
