-- A small shop. Who reads is the role "reader", who writes is "keeper"; neither has any right beyond these tables.
CREATE ROLE reader NOLOGIN;
CREATE ROLE keeper NOLOGIN;

-- With these a statement could change roles, or run text that nobody checked.
REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION pg_catalog.query_to_xml(text, boolean, boolean, text) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION pg_catalog.query_to_xmlschema(text, boolean, boolean, text) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION pg_catalog.query_to_xml_and_xmlschema(text, boolean, boolean, text) FROM PUBLIC;

GRANT USAGE ON SCHEMA public TO reader;
GRANT USAGE, CREATE ON SCHEMA public TO keeper;
SET ROLE keeper;

CREATE TABLE customers (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL,
  email text NOT NULL UNIQUE,
  country text NOT NULL,
  since date NOT NULL
);
COMMENT ON TABLE customers IS 'People who have an account';
COMMENT ON COLUMN customers.country IS 'ISO 3166-1 alpha-2';

CREATE TABLE products (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL,
  price numeric(10, 2) NOT NULL CHECK (price > 0),
  tags text[] NOT NULL DEFAULT '{}',
  details jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE products IS 'What the shop sells';
COMMENT ON COLUMN products.price IS 'Euros, without tax';

CREATE TABLE orders (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer_id integer NOT NULL REFERENCES customers,
  placed_at timestamptz NOT NULL,
  status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'paid', 'shipped', 'returned'))
);
COMMENT ON TABLE orders IS 'One row for each order, whatever became of it';
CREATE INDEX orders_customer ON orders (customer_id);

CREATE TABLE order_lines (
  order_id integer NOT NULL REFERENCES orders ON DELETE CASCADE,
  product_id integer NOT NULL REFERENCES products,
  quantity integer NOT NULL CHECK (quantity > 0),
  PRIMARY KEY (order_id, product_id)
);

CREATE VIEW revenue_by_country AS
  SELECT country, sum(price * quantity) AS revenue
  FROM customers
  JOIN orders ON orders.customer_id = customers.id
  JOIN order_lines ON order_lines.order_id = orders.id
  JOIN products ON products.id = order_lines.product_id
  WHERE status <> 'returned'
  GROUP BY country;
COMMENT ON VIEW revenue_by_country IS 'Euros per country, without what came back';

INSERT INTO customers (name, email, country, since) VALUES
  ('Ada Novak', 'ada@example.com', 'SI', '2023-02-11'),
  ('Bruno Costa', 'bruno@example.com', 'PT', '2023-05-30'),
  ('Chiara Rossi', 'chiara@example.com', 'IT', '2024-01-08'),
  ('Dmitri Ilves', 'dmitri@example.com', 'EE', '2024-03-19'),
  ('Emma Larsen', 'emma@example.com', 'DK', '2024-09-02'),
  ('Felix Huber', 'felix@example.com', 'AT', '2025-04-27');

INSERT INTO products (name, price, tags, details) VALUES
  ('Notebook', 4.50, '{paper}', '{"pages": 96}'),
  ('Fountain pen', 29.00, '{writing,gift}', '{"nib": "F"}'),
  ('Ink, blue', 7.90, '{writing}', '{"ml": 50}'),
  ('Desk lamp', 64.00, '{furniture}', '{"watts": 9}'),
  ('Calendar', 14.20, '{paper,gift}', '{"year": 2026}');

INSERT INTO orders (customer_id, placed_at, status)
  SELECT 1 + n % 6, timestamptz '2025-01-01 09:00:00+00' + n * interval '31 hours',
    (ARRAY['shipped', 'shipped', 'paid', 'shipped', 'returned', 'open'])[1 + n % 6]
  FROM generate_series(0, 199) AS n;

INSERT INTO order_lines (order_id, product_id, quantity)
  SELECT id, 1 + (id * line * 7) % 5, 1 + (id + line) % 4
  FROM orders, generate_series(1, 3) AS line
  ON CONFLICT DO NOTHING;

GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO reader;
RESET ROLE;
ANALYZE;
