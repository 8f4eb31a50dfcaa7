-- Results, revenue, allocation and routing.

-- Results


-- Revenue


-- Allocation, trials and reinvestment


-- Routing

