<<<<<<<< HEAD:web/dist/assets/address-glVCzcqJ.js
import{N as e}from"./index-Cry1nt_H.js";function t(){let[t,n]=e();return[t,e=>n(t=>{let n=new URLSearchParams(t);for(let[t,r]of Object.entries(e))r?n.set(t,r):n.delete(t);return n},{replace:!0})]}export{t};
========
import{N as e}from"./index-CyGvvxhr.js";function t(){let[t,n]=e();return[t,e=>n(t=>{let n=new URLSearchParams(t);for(let[t,r]of Object.entries(e))r?n.set(t,r):n.delete(t);return n},{replace:!0})]}export{t};
>>>>>>>> see2-w:web/dist/assets/address-CimWGkUe.js
