-- mode: replace
-- key: carrier
-- expect: not_null(airline)
-- expect: rule(positive, flights > 0)
-- description: Flights, mean delays in minutes and miles flown by airline
select
    f.carrier,
    a.name as airline,
    count(*) as flights,
    avg(f.dep_delay) as mean_dep_delay,
    avg(f.arr_delay) as mean_arr_delay,
    sum(f.distance) as miles
from silver.flights f
left join silver.airlines a on a.carrier = f.carrier
group by f.carrier, a.name
order by mean_dep_delay desc nulls last, f.carrier
