// Pieces that the administrative pages share.

import type { ComponentChildren } from 'preact';
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { Client, Problem } from '../client.ts';
import { t } from '../text.ts';
import { ProblemBox } from '../viewer/viewer.tsx';

/** Reads a list or thing and keeps it, nothing without a path; `reload` reads again, `every` milliseconds by itself. */
export function useRead<T>(client: Client, path: string, every = 0): { data: T | null; problem: Problem | null; reload: () => void } {
  const [state, setState] = useState<{ data: T | null; problem: Problem | null }>({ data: null, problem: null });
  const reload = useCallback(() => {
    if (!path) return;
    client.get<T>(path).then((data) => setState({ data, problem: null }), (problem) => setState((before) => ({ data: before.data, problem: problem as Problem })));
  }, [client, path]);
  useEffect(() => {
    reload();
    if (!every) return undefined;
    const timer = setInterval(() => document.visibilityState === 'visible' && reload(), every);
    return () => clearInterval(timer);
  }, [reload, every]);
  return { ...state, reload };
}

/** Saves what a call answers as a file. */
export async function download(client: Client, path: string, name: string): Promise<void> {
  const blob = await client.fetch('GET', path).then((response) => response.blob());
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

export function PageHead({ title, text, children }: { title: string; text: string; children?: ComponentChildren }) {
  useEffect(() => {
    document.title = `${title} · Attestary`;
  }, [title]);
  return <div class="page-head"><div><h1>{title}</h1><p class="note">{text}</p></div>{children}</div>;
}

/** A page that is loaded when it is wanted. */
export function Later({ load }: { load: () => Promise<() => ComponentChildren> }) {
  const [Page, setPage] = useState<{ show: () => ComponentChildren } | null>(null);
  useEffect(() => {
    load().then((show) => setPage({ show }), () => setPage({ show: () => <p role="alert">{t('problem.offline')}</p> }));
  }, []);
  return Page ? <>{Page.show()}</> : <p role="status">{t('loading')}</p>;
}

/** Asks before something that cannot be undone. */
export function Confirm({ label, question, danger, onYes }: { label: string; question: string; danger?: boolean; onYes: () => Promise<unknown> }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const yes = async (): Promise<void> => {
    try {
      await onYes();
      dialog.current?.close();
    } catch (error) {
      setProblem(error as Problem);
    }
  };
  return (
    <>
      <button type="button" class={danger ? 'danger' : ''} onClick={() => dialog.current?.showModal()}>{label}</button>
      <dialog ref={dialog} aria-label={label}>
        <p>{question}</p>
        {problem && <ProblemBox problem={problem} />}
        <div class="dialog-actions"><button type="button" onClick={() => dialog.current?.close()}>{t('cancel')}</button><button type="button" class={danger ? 'danger' : 'primary'} onClick={yes}>{label}</button></div>
      </dialog>
    </>
  );
}

type FormParts = {
  label: string; title: string; submit: string; children: ComponentChildren; onSubmit: (form: FormData) => Promise<unknown>;
  /** The button is one among others. */
  plain?: boolean;
  /** What is written cannot be sent yet. */
  refuse?: boolean;
  /** The dialog is open from the beginning: an address led here. */
  open?: boolean;
};

/** A form in a dialog behind a button. */
export function FormDialog({ label, title, submit, children, onSubmit, plain = false, refuse = false, open = false }: FormParts) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  useEffect(() => {
    if (open) dialog.current?.showModal();
  }, [open]);
  const send = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    try {
      await onSubmit(new FormData(form));
      form.reset();
      setProblem(null);
      dialog.current?.close();
    } catch (error) {
      setProblem(error as Problem);
    }
  };
  return (
    <>
      <button type="button" class={plain ? '' : 'primary'} onClick={() => dialog.current?.showModal()}>{label}</button>
      <dialog ref={dialog} aria-label={title}>
        <form class="stack" onSubmit={send}>
          <h2>{title}</h2>
          {children}
          {problem && <ProblemBox problem={problem} />}
          <div class="dialog-actions"><button type="button" onClick={() => dialog.current?.close()}>{t('cancel')}</button><button type="submit" class="primary" disabled={refuse}>{submit}</button></div>
        </form>
      </dialog>
    </>
  );
}
