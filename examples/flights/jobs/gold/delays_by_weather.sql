-- key: visibility
-- description: Departure delays in minutes and cancellations by what could be seen at the airport in the hour of departure
with seen as (
    select
        f.dep_delay,
        case
            when w.visib is null then 'not known'
            when w.visib < 2 then 'under 2 miles'
            when w.visib < 10 then '2 to 10 miles'
            else '10 miles'
        end as visibility
    from silver.flights f
    left join silver.weather w on w.origin = f.origin and w.time_hour = f.time_hour
)
select
    visibility,
    count(*) as flights,
    count(*) - count(dep_delay) as cancelled,
    avg(dep_delay) as mean_dep_delay
from seen
group by visibility
order by mean_dep_delay desc nulls last
