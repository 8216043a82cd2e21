;; CREATE PROCEDURE transfer(source bigint, target bigint, amount bigint) LANGUAGE wasm
;;
;; Moves an amount between two accounts. The source pays a fee of 0.5 % besides, which goes to account 1, and has to have both.
;; If it has not, the guest traps, and nothing of it is kept.
;;
;; It shows the whole chain: this procedure runs SQL, SQLite calls the function `fee`, which is a guest as well.
(module
  (import "sql" "bind_int" (func $bind (param $number i64)))
  (import "sql" "run" (func $run (param $text i32) (param $length i32) (result i32)))
  (import "sql" "int" (func $int (param $row i32) (param $column i32) (result i64)))

  (memory (export "memory") 1)
  (data (i32.const 0) "SELECT balance, fee($1, 5) FROM accounts WHERE id = $2") ;; 54 bytes
  (data (i32.const 128) "UPDATE accounts SET balance = balance + $1 WHERE id = $2") ;; 56 bytes

  (func $add (param $account i64) (param $amount i64)
    (call $bind (local.get $amount))
    (call $bind (local.get $account))
    (drop (call $run (i32.const 128) (i32.const 56))))

  (func (export "transfer") (param $source i64) (param $target i64) (param $amount i64)
    (local $fee i64)
    (call $bind (local.get $amount))
    (call $bind (local.get $source))
    (if (i32.eqz (call $run (i32.const 0) (i32.const 54))) (then (unreachable))) ;; no such account
    (local.set $fee (call $int (i32.const 0) (i32.const 1)))
    (if (i64.lt_s
          (call $int (i32.const 0) (i32.const 0))
          (i64.add (local.get $amount) (local.get $fee)))
      (then (unreachable)))
    (call $add (local.get $source) (i64.sub (i64.const 0) (i64.add (local.get $amount) (local.get $fee))))
    (call $add (local.get $target) (local.get $amount))
    (call $add (i64.const 1) (local.get $fee))))
