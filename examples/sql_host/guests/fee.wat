;; CREATE FUNCTION fee(amount bigint, per_mille integer) RETURNS bigint LANGUAGE wasm
;;
;; So many thousandths of an amount, rounded up: the shortest guest.
(module
  (func (export "fee") (param $amount i64) (param $per_mille i32) (result i64)
    (i64.div_s
      (i64.add
        (i64.mul (local.get $amount) (i64.extend_i32_s (local.get $per_mille)))
        (i64.const 999))
      (i64.const 1000))))
