// A plugin in Rust, with nothing but what bindgen makes of the C headers: counts training batches, logs
// the count as a metric, keeps it in checkpoints. No panic leaves it.
//
//   bindgen .../grapnel/ext/layout.h -o bindings.rs -- -I...
//   GRAPNEL_BINDINGS=$PWD/bindings.rs rustc --edition 2021 -O --crate-type cdylib -o rusty.so rusty.rs
use std::mem::size_of;
use std::os::raw::{c_char, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr;

#[allow(warnings, clippy::all)]  // as bindgen writes it
mod grapnel {
    include!(env!("GRAPNEL_BINDINGS"));
}
use grapnel::*;

const OK: i32 = GRAPNEL_OK as i32;
const NOT_FOUND: i32 = GRAPNEL_NOT_FOUND as i32;
const ERROR: i32 = GRAPNEL_ERROR as i32;

struct Counter {
    abi: grapnel_instance,
    host: *const grapnel_host,
    metrics: *const grapnel_metrics,
    log: *const grapnel_log,
    panic_at: i64,
    count: i64,
}

fn text(from: &str) -> grapnel_string {
    grapnel_string { data: from.as_ptr() as *const c_char, size: from.len() as u64 }
}

// bindgen makes texts of the headers with the NUL at their end.
fn text_of_macro(from: &'static [u8]) -> grapnel_string {
    grapnel_string { data: from.as_ptr() as *const c_char, size: from.len() as u64 - 1 }
}

unsafe fn bytes_of<'a>(from: grapnel_string) -> &'a [u8] {
    if from.size == 0 { &[] } else { std::slice::from_raw_parts(from.data as *const u8, from.size as usize) }
}

unsafe fn find<T>(host: *const grapnel_host, id: &'static [u8]) -> Option<*const T> {
    let mut table: *const c_void = ptr::null();
    match ((*host).get_extension?)(host, text_of_macro(id), &mut table) {
        OK => Some(table as *const T),
        _ => None,
    }
}

unsafe fn fail(host: *const grapnel_host, why: &str) -> i32 {
    if let Some(tell) = (*host).fail {
        tell(host, text(why));
    }
    ERROR
}

// A panic is the failure of the call.
unsafe fn guarded(host: *const grapnel_host, body: impl FnOnce() -> i32) -> i32 {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| fail(host, "it panicked"))
}

unsafe fn counter<'a>(instance: *mut grapnel_instance) -> &'a mut Counter {
    &mut *((*instance).self_ as *mut Counter)
}

// What a hook returns after a service: only a failure that the host keeps is the hook's own. Without the
// number or the line the training is as good.
fn passed_on(status: i32) -> i32 {
    if status == GRAPNEL_PENDING { status } else { OK }
}

// ---- Hooks

unsafe extern "C" fn on_train_batch_end(
    instance: *mut grapnel_instance,
    _event: *const grapnel_Event,
) -> i32 {
    let me = counter(instance);
    guarded(me.host, || {
        me.count += 1;
        if me.count == me.panic_at {
            panic!("as it was told to");
        }
        match (*me.metrics).log_f64 {
            Some(log) => passed_on(log(me.host, text("rusty"), me.count as f64, ptr::null())),
            None => ERROR,
        }
    })
}

unsafe extern "C" fn on_fit_end(
    instance: *mut grapnel_instance,
    _event: *const grapnel_Event,
) -> i32 {
    let me = counter(instance);
    guarded(me.host, || {
        let line = format!("counted {}", me.count);
        match (*me.log).write {
            Some(write) => passed_on(write(me.host, GRAPNEL_LOG_INFO as i32, text(&line))),
            None => ERROR,
        }
    })
}

// Constant data with pointers in it.
#[repr(transparent)]
pub struct Shared<T>(T);
unsafe impl<T> Sync for Shared<T> {}

type Hook = unsafe extern "C" fn(*mut grapnel_instance, *const grapnel_Event) -> i32;

const fn hook(id: u32, call: Hook) -> Shared<grapnel_hook_entry> {
    Shared(grapnel_hook_entry {
        struct_size: size_of::<grapnel_hook_entry>() as u32,
        hook: id,
        flags: 0,
        reserved: 0,
        call: Some(call),
    })
}
static ON_BATCH: Shared<grapnel_hook_entry> =
    hook(GRAPNEL_HOOK_on_train_batch_end, on_train_batch_end);
static ON_END: Shared<grapnel_hook_entry> = hook(GRAPNEL_HOOK_on_fit_end, on_fit_end);
static HOOKS: Shared<[*const grapnel_hook_entry; 2]> = Shared([&ON_BATCH.0, &ON_END.0]);

// ---- State

unsafe extern "C" fn save(
    instance: *mut grapnel_instance,
    writer: *const grapnel_state_writer,
) -> i32 {
    match (*writer).put_i64 {
        Some(put) => put(writer, text("count"), counter(instance).count),
        None => ERROR,
    }
}

unsafe extern "C" fn load(
    instance: *mut grapnel_instance,
    reader: *const grapnel_state_reader,
) -> i32 {
    let me = counter(instance);
    let mut count = 0;
    match (*reader).get_i64.map(|get| get(reader, text("count"), &mut count)) {
        Some(OK) => me.count = count,
        _ => return fail(me.host, "the state has no count"),
    }
    OK
}

static STATE: Shared<grapnel_state> = Shared(grapnel_state {
    struct_size: size_of::<grapnel_state>() as u32,
    reserved: 0,
    key: None,
    save: Some(save),
    load: Some(load),
});

unsafe extern "C" fn get_extension(
    _instance: *mut grapnel_instance,
    id: grapnel_string,
    table: *mut *const c_void,
) -> i32 {
    if bytes_of(id) != bytes_of(text_of_macro(GRAPNEL_EXT_STATE)) {
        return NOT_FOUND;
    }
    *table = &STATE.0 as *const grapnel_state as *const c_void;
    OK
}

// ---- Life

unsafe extern "C" fn init(instance: *mut grapnel_instance, host: *const grapnel_host) -> i32 {
    let me = counter(instance);
    match (find(host, GRAPNEL_EXT_METRICS), find(host, GRAPNEL_EXT_LOG)) {
        (Some(metrics), Some(log)) => {
            me.metrics = metrics;
            me.log = log;
            OK
        }
        _ => fail(host, "it needs metrics and a log"),
    }
}

unsafe extern "C" fn destroy(instance: *mut grapnel_instance) -> i32 {
    drop(Box::from_raw((*instance).self_ as *mut Counter));
    OK
}

unsafe extern "C" fn create(
    _factory: *const grapnel_factory,
    host: *const grapnel_host,
    instance: *mut *mut grapnel_instance,
) -> i32 {
    let mut panic_at = 0;
    let read = find::<grapnel_params>(host, GRAPNEL_EXT_PARAMS)
        .and_then(|params| (*params).get_i64)
        .map(|get| get(host, text("panic_at"), &mut panic_at));
    if read != Some(OK) {
        return fail(host, "cannot read the parameter panic_at");
    }
    let me = Box::into_raw(Box::new(Counter {
        abi: grapnel_instance {
            struct_size: size_of::<grapnel_instance>() as u32,
            hook_count: 2,
            hooks: &HOOKS.0 as *const *const grapnel_hook_entry,
            self_: ptr::null_mut(),
            init: Some(init),
            destroy: Some(destroy),
            get_extension: Some(get_extension),
        },
        host,
        metrics: ptr::null(),
        log: ptr::null(),
        panic_at,
        count: 0,
    }));
    (*me).abi.self_ = me as *mut c_void;
    *instance = &mut (*me).abi;
    OK
}

static FACTORY: Shared<grapnel_factory> = Shared(grapnel_factory {
    struct_size: size_of::<grapnel_factory>() as u32,
    reserved: 0,
    callback: grapnel_string { data: b"rusty".as_ptr() as *const c_char, size: 5 },
    create: Some(create),
});
static FACTORIES: Shared<[*const grapnel_factory; 1]> = Shared([&FACTORY.0]);

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static grapnel_plugin_v0: Shared<grapnel_plugin> = Shared(grapnel_plugin {
    struct_size: size_of::<grapnel_plugin>() as u32,
    abi_minor: GRAPNEL_ABI_TARGET,
    factory_count: 1,
    factories: &FACTORIES.0 as *const *const grapnel_factory,
    manifest: ptr::null(),
    get_extension: None,
});
