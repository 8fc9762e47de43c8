#!/bin/sh
# Ten kills of everything under load: nothing acknowledged is lost, nothing
# torn, nothing invented. Each start stores mail in another form. KILLS=50
# bench/storm is the long form.
KILLS=${KILLS:-10} FORM=${FORM:-mixed} exec bench/storm --tap
