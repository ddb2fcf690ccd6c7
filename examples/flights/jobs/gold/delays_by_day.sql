-- mode: partition
-- partition_by: month
-- key: month, day
-- expect: rule(no more than all, cancelled <= flights)
-- description: Flights, cancellations and departure delays by day; a month is written as one
-- units: mean_dep_delay = minutes
select
    month,
    day,
    count(*) as flights,
    count(*) - count(dep_time) as cancelled,
    avg(dep_delay) as mean_dep_delay
from silver.flights
group by month, day
