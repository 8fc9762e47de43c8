#!/bin/sh
# Ten kills of everything under load: nothing acknowledged is lost, nothing
# torn, nothing invented. KILLS=50 bench/storm is the long form.
KILLS=${KILLS:-10} exec bench/storm --tap
