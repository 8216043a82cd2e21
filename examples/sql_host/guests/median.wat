;; CREATE FUNCTION median(list text) RETURNS bigint LANGUAGE wasm
;;
;; Of whole numbers with commas between them, as '3,1,2', the one in the middle.
;;
;; It shows how text comes in, and the way down and up again: SQLite calls this function, which calls native code, which calls
;; `compare` below.
(module
  (import "native" "sort" (func $sort (param $address i32) (param $count i32)))

  ;; The first page is for the numbers, the second one for the text.
  (memory (export "memory") 2)

  ;; The host asks where it may put the text.
  (func (export "alloc") (param $length i32) (result i32)
    (if (i32.gt_u (local.get $length) (i32.const 65536)) (then (unreachable)))
    (i32.const 65536))

  ;; More than 0: the first one belongs after the other.
  (func (export "compare") (param $one i64) (param $other i64) (result i32)
    (i64.gt_s (local.get $one) (local.get $other)))

  ;; The number of this place; a page has 8192.
  (func $put (param $place i32) (param $number i64)
    (if (i32.ge_u (local.get $place) (i32.const 8192)) (then (unreachable)))
    (i64.store (i32.mul (local.get $place) (i32.const 8)) (local.get $number)))

  (func (export "median") (param $text i32) (param $length i32) (result i64)
    (local $end i32) (local $byte i32) (local $count i32) (local $number i64)
    (if (i32.eqz (local.get $length)) (then (return (i64.const 0))))
    (local.set $end (i32.add (local.get $text) (local.get $length)))
    (loop $bytes
      (local.set $byte (i32.load8_u (local.get $text)))
      (if (i32.eq (local.get $byte) (i32.const 44)) ;; a comma
        (then
          (call $put (local.get $count) (local.get $number))
          (local.set $count (i32.add (local.get $count) (i32.const 1)))
          (local.set $number (i64.const 0)))
        (else
          (local.set $number
            (i64.add
              (i64.mul (local.get $number) (i64.const 10))
              (i64.extend_i32_u (i32.sub (local.get $byte) (i32.const 48)))))))
      (local.set $text (i32.add (local.get $text) (i32.const 1)))
      (br_if $bytes (i32.lt_u (local.get $text) (local.get $end))))
    (call $put (local.get $count) (local.get $number))
    (local.set $count (i32.add (local.get $count) (i32.const 1)))
    (call $sort (i32.const 0) (local.get $count))
    (i64.load (i32.mul (i32.shr_u (local.get $count) (i32.const 1)) (i32.const 8)))))
